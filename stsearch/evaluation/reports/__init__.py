"""What a benchmark measured, written for people: lines for a terminal, Markdown, and a page of HTML."""
