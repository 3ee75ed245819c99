"""What the pages of the chapter are made of, beside what all pages share."""
