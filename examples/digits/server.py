"""The classifier behind a web server of its own, which knows nothing of Troupe: POST /predict and /images, GET /ready."""

import http.server
import json
import os
import threading

import classifier

model = None


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body leave in one packet; else each answer waits 40 ms for an acknowledgement

    def do_GET(self):
        self.answer(404 if self.path != "/ready" else 200 if model is not None else 503, None)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/images":
            self.answer(200, [part.tolist() for part in classifier.images()])
        elif self.path != "/predict":
            self.answer(404, "there are only /predict and /images")
        else:
            self.answer(200, int(model.predict([json.loads(body)])[0]))

    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def train():
    global model
    model = classifier.trained()


if __name__ == "__main__":
    threading.Thread(target=train).start()
    http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
