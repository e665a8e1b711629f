"""The renderer: lettering, text effects, signs, scenes, backgrounds, camera, corpus, and its writer."""
