"""From a photograph to its text instances: detection, proposals, embedding, recognition."""
