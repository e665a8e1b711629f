"""The joint training loop, and what it is made of: batches, augmentation, targets, losses, schedule, runs."""
