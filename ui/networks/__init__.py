"""What the pages on networks and their training are made of, beside what all pages share."""
