"""fakesnow's own server on a port: `PORT`."""

import sys

import uvicorn
from fakesnow.server import app

uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="error", access_log=False)
