"""Training data: rendered pictures, readers of labelled photographs, views, targets, batches."""
