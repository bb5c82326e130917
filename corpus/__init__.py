"""The corpus written for this project: ideas, and what makes posts of them."""
