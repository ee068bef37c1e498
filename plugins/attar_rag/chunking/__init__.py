"""Documents into chunks: where a text may be cut, who counts its tokens, how it is packed."""
