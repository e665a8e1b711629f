"""What a benchmark asks and how answers are scored: query rules, predictions, metrics, baselines, reports."""
