"""The full run of chapter 1: PCA of all images."""

from collections.abc import Callable

from helpers.fashion_mnist import FETCHED, SHA256, load_fashion_mnist
from helpers.pca import compression_table, pca_from_covariance
from helpers.spectrum import components_for_share

PCA_KS = (0, 2, 8, 16, 32, 64, 128, 288)
PCA_SHARES = (0.8, 0.9, 0.95, 0.99)


def pca_fashion_mnist() -> dict:
    """PCA of all 60,000 training images, judged on the 10,000 test images."""
    train, _ = load_fashion_mnist("train", full=True)
    test, _ = load_fashion_mnist("test")
    pca = pca_from_covariance(train.reshape(len(train), -1))
    shares = {
        f"{share:.0%}": components_for_share(pca.explained_variance, share) for share in PCA_SHARES
    }
    return {
        "configuration": {"train": len(train), "test": len(test), "precision": str(train.dtype)},
        "data": {name: SHA256[name] for name in (*FETCHED, "t10k-images-idx3-ubyte.gz")},
        "results": {
            "table": compression_table(pca, test.reshape(len(test), -1), PCA_KS),
            "components_for_share": shares,
        },
    }


EXPERIMENTS: dict[str, Callable[[], dict]] = {"pca-fashion-mnist": pca_fashion_mnist}
