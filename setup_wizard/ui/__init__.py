"""What a person sees: questions, plans, progress, and the long texts."""
