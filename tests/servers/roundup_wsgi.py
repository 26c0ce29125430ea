"""Serves a Roundup tracker, in an environment of its own: FOLDER PORT. Roundup's own server refuses to run as root."""

import sys
from wsgiref.simple_server import make_server

from roundup.cgi.wsgi_handler import RequestDispatcher

if __name__ == "__main__":
    make_server("127.0.0.1", int(sys.argv[2]), RequestDispatcher(sys.argv[1])).serve_forever()
