"""Serves a program by terminado: serve_terminado.py PORT PROGRAM ARGUMENT ..."""

import sys

import tornado.ioloop
import tornado.web
from terminado import TermSocket, UniqueTermManager

port, program = int(sys.argv[1]), sys.argv[2:]
manager = UniqueTermManager(shell_command=program, max_terminals=5000)
handlers = [(r"/websocket", TermSocket, {"term_manager": manager})]
tornado.web.Application(handlers).listen(port, "127.0.0.1")
tornado.ioloop.IOLoop.current().start()
