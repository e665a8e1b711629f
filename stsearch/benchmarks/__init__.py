"""The published benchmarks as data: layouts on disk, label formats, query rules, published results."""
