"""Recordings: manifests, corpus readers, loading and augmentation."""
