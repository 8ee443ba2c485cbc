"""The volumes of a node's instances: made before their containers, gone after them."""
