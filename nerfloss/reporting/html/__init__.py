"""The report as one page: what it shows, a file for each part, and the page itself."""
