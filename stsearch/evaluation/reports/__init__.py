"""Reports of a benchmark: lines for a terminal, Markdown, and a page of HTML."""
