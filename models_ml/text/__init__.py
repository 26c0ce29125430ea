"""Text: preprocessing, language, spam, near-duplicates, entities, masking and the reviewed rules."""
