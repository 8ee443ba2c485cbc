"""`snowcave up`: every daemon of one machine as a child process.

`home` decides where and under which numbers, `engine` which container engine, `children` keeps
processes running, `supervise` puts them together, `teardown` leaves nothing behind.
"""
