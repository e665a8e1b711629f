"""The networks: pure modules, built from configurations, without files or devices of their own."""
