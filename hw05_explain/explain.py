"""The methods by their names: (model, images, classes, layer) -> maps (n, h, w), large where it matters."""

from lime import lime
from saliency import grad_cam, saliency, smoothgrad

METHODS = {
    "saliency": lambda model, images, classes, layer=None: saliency(model, images, classes),
    "SmoothGrad": lambda model, images, classes, layer=None: smoothgrad(model, images, classes),
    "Grad-CAM": grad_cam,
    "LIME": lambda model, images, classes, layer=None: lime(model, images, classes),
}
