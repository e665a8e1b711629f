"""Networks made fast on a device, and their 8-bit form."""
