"""Arrays and records in, Plotly figures out. Nothing is computed here, nothing is remembered."""
