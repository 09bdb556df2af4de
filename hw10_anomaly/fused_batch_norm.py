"""Not part of the lesson: batch normalisation by TensorFlow's fused kernel, which is faster."""

import keras
from keras import layers

if keras.backend.backend() == "tensorflow":
    from tensorflow.compat.v1.nn import fused_batch_norm


@keras.saving.register_keras_serializable(package="fused_batch_norm")  # whatever the folder is called
class FusedBatchNormalization(layers.BatchNormalization):
    """Keras' batch normalisation; in training TensorFlow computes it by its fused kernel.

    Follows Ioffe and Szegedy 2015. Inputs (batch, height, width, channels) of any float dtype. The moving
    variance is that of N - 1, where Keras' own layer divides by N, the batch's positions.
    """

    def call(self, inputs, training=None, mask=None):
        if not (training and self.trainable) or keras.backend.backend() != "tensorflow":
            return super().call(inputs, training=training, mask=mask)
        scale, offset = (keras.ops.cast(weight, "float32") for weight in (self.gamma, self.beta))
        outputs, mean, variance = fused_batch_norm(inputs, scale, offset, epsilon=self.epsilon)
        for moving, batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving * self.momentum + batch * (1 - self.momentum))
        return outputs
