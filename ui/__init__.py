"""Everything Streamlit that is not a page: controls bound to the address, the anatomy of a page."""
