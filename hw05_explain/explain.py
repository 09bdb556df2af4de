"""The methods by their names: (model, pictures, classes, layer) -> maps (n, h, w), large where it matters."""

from lime import lime
from saliency import grad_cam, saliency, smoothgrad

METHODS = {
    "saliency": lambda model, pictures, classes, layer=None: saliency(model, pictures, classes),
    "SmoothGrad": lambda model, pictures, classes, layer=None: smoothgrad(model, pictures, classes),
    "Grad-CAM": grad_cam,
    "LIME": lambda model, pictures, classes, layer=None: lime(model, pictures, classes),
}
