"""Planning an ADD: from a call and its pod to a journal entry, all checked before any change."""
