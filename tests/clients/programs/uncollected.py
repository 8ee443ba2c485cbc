"""Run by the interpreter of a connector under test: a program without the cyclic collector.

CPython crashes, or forgets a context variable's value, where a finaliser that the collector calls sets one
while another is being set (python/cpython issue 148891). Connector 5 sets some in most calls, also in those
of its finalisers. Programs of tests are short, and need no collector.
"""

import gc
import runpy
import sys

if __name__ == "__main__":
    gc.disable()
    del sys.argv[0]
    runpy.run_path(sys.argv[0], run_name="__main__")
