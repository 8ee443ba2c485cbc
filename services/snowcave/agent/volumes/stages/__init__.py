"""Stage volumes: a stage's files as a file system, spoken to the kernel over /dev/fuse."""
