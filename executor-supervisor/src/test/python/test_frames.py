import json
import pathlib
import unittest

from troupe import frames

GOLDEN = json.loads(
    (
        pathlib.Path(__file__).resolve().parents[4]
        / "common-protocol/src/main/resources/golden/frames.json"
    ).read_text("utf-8")
)
KINDS = {
    "HELLO": frames.HELLO,
    "JOB": frames.JOB,
    "RESULT": frames.RESULT,
    "ERROR": frames.ERROR,
    "SHUTDOWN": frames.SHUTDOWN,
    "CANCEL": frames.CANCEL,
    "RETURNED": frames.RETURNED,
}
CONTENTS = {
    "JSON": frames.JSON,
    "BYTES": frames.BYTES,
    "JSON_BLOB": frames.JSON + frames.IN_FILE,
    "BYTES_BLOB": frames.BYTES + frames.IN_FILE,
}


def fields(golden):
    return (
        KINDS[golden["type"]],
        CONTENTS[golden["content"]],
        golden["id"],
        golden["name"].encode(),
        bytes.fromhex(golden["payload"]),
    )


class FramesTest(unittest.TestCase):
    def test_a_golden_frame_is_written_as_it_stands(self):
        for golden in GOLDEN["good"]:
            with self.subTest(golden["what"]):
                self.assertEqual(golden["frame"], frames.frame(*fields(golden)).hex())

    def test_the_golden_frames_are_read_wherever_the_stream_is_cut(self):
        stream = b"".join(bytes.fromhex(golden["frame"]) for golden in GOLDEN["good"])
        for size in (1, 2, 3, 5, 16, 17, 64, len(stream)):
            with self.subTest(size=size):
                read, rest = [], b""
                for start in range(0, len(stream), size):
                    found, rest = frames.decode(
                        rest + stream[start : start + size], GOLDEN["limit"]
                    )
                    read += found
                self.assertEqual([fields(golden) for golden in GOLDEN["good"]], read)
                self.assertEqual(b"", rest)

    def test_a_malformed_frame_is_refused_with_the_reason(self):
        for golden in GOLDEN["bad"]:
            with self.subTest(golden["what"]):
                with self.assertRaises(frames.MalformedFrame) as refused:
                    frames.decode(bytes.fromhex(golden["frame"]), GOLDEN["limit"])
                self.assertEqual(golden["error"], str(refused.exception))


if __name__ == "__main__":
    unittest.main()
