"""The classifier as a module of a pool: trained once, before the process takes jobs."""

import classifier

model = None


def setup():
    global model
    model = classifier.trained()


def images(_):
    """All images, and the digits that they show."""
    data, target = classifier.images()
    return [data.tolist(), target.tolist()]


def predict(image):
    """The digit that an image shows."""
    return int(model.predict([image])[0])
