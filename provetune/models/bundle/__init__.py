"""A trained model as a folder that anyone can load, verify and read."""

from provetune.models.bundle.golden import Golden
from provetune.models.bundle.opening import Bundle, open_bundle
from provetune.models.bundle.updating import update_record
from provetune.models.bundle.writing import BundleContents, write_bundle

__all__ = ["Bundle", "BundleContents", "Golden", "open_bundle", "update_record", "write_bundle"]
