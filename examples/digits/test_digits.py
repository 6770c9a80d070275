import importlib.util
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))


@unittest.skipUnless(importlib.util.find_spec("sklearn"), "scikit-learn is not installed")
class DigitsTest(unittest.TestCase):
    def test_it_recognises_nearly_all_images_that_it_was_not_trained_on(self):
        import classifier
        import digits

        digits.setup()
        data, target = classifier.images()
        self.assertEqual(1797, len(data))
        unknown = [i for i in range(len(data)) if not classifier.is_known(i)]
        right = sum(digits.predict(data[i].tolist()) == target[i] for i in unknown)
        self.assertGreater(right / len(unknown), 0.97)


if __name__ == "__main__":
    unittest.main()
