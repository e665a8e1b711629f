"""Where networks compute: what makes them fast on a device, and their 8-bit form."""
