"""The vendor's own SDK and Web UIKit, unmodified in Chromium, against the sandbox."""
