"""The joint training loop and its parts: batches, augmentation, targets, losses, schedule, runs."""
