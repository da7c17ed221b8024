"""Array kernels: plain numpy in, plain numpy out, causal and chunk-proof."""
