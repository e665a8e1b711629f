"""Networks from and to disk: the card, safetensors with checksums, the start from public CLIP weights."""
