"""The anonymizer: remove private attributes from pictures and video while a black-box model still answers questions."""
