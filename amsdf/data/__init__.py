"""Which recordings: manifests, corpus readers, batches, augmentation, and the audit of corpora."""

from amsdf.data.manifest import Manifest, read_manifest

__all__ = ["Manifest", "read_manifest"]
