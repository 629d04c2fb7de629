"""Tensors come back as they were written, or not at all."""

import hashlib
import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from helpers.checkpoints import load_checkpoint, read_tensors, save_checkpoint, write_tensors
from helpers.storage import StorageError

RECORD = {"configuration": {"size": 3}, "history": [{"loss": 0.1}, {"loss": 1 / 3}]}


def network(width=3):
    torch_generator = torch.Generator().manual_seed(width)
    model = nn.Sequential(nn.Conv2d(1, width, 3), nn.BatchNorm2d(width))
    for parameter in model.parameters():
        parameter.data = torch.rand(parameter.shape, generator=torch_generator)
    return model


@pytest.fixture
def written(tmp_path):
    path = tmp_path / "file.safetensors"
    tensors = {"a": torch.arange(6.0).reshape(2, 3), "step": torch.tensor(7), "none": torch.ones(0)}
    write_tensors(path, tensors, RECORD)
    return path, tensors


def test_tensors_and_record_come_back_bit_by_bit(written):
    path, tensors = written
    found, record = read_tensors(path)
    assert record == RECORD
    assert set(found) == set(tensors)
    for name, tensor in tensors.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor)


def test_file_depends_on_values_not_on_memory_layout_or_order(written, tmp_path):
    path, tensors = written
    again = tmp_path / "again.safetensors"
    other_order = dict(reversed(tensors.items()))
    other_order["a"] = tensors["a"].t().contiguous().t()
    digest = write_tensors(again, other_order, dict(reversed(RECORD.items())))
    assert again.read_bytes() == path.read_bytes()
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()


@settings(max_examples=300)
@given(data=st.data())
def test_no_damaged_byte_goes_unnoticed(data, tmp_path_factory):
    path = tmp_path_factory.mktemp("damage") / "file.safetensors"
    tensors = {"w": torch.linspace(0, 1, 8), "n": torch.tensor([3, 4], dtype=torch.int32)}
    write_tensors(path, tensors, {"history": [1.5]})
    content = bytearray(path.read_bytes())
    position = data.draw(st.integers(0, len(content) - 1))
    content[position] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    try:
        found, record = read_tensors(path)
    except StorageError as error:
        assert "file.safetensors is damaged" in str(error)  # noqa: PT017
    else:  # the header is padded with spaces; a tab does as well
        assert record == {"history": [1.5]}
        assert all(torch.equal(found[name], tensor) for name, tensor in tensors.items())


@pytest.mark.parametrize("kept", [0, 4, 8, 100, -1])
def test_file_cut_short_is_damaged(written, kept):
    path, _ = written
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(StorageError, match=r"file\.safetensors is damaged.*\ndo this"):
        read_tensors(path, "do this")


def test_missing_and_foreign_files_are_named(tmp_path):
    from safetensors.torch import save_file

    with pytest.raises(StorageError, match=r"none\.safetensors is not in .*\ndo this"):
        read_tensors(tmp_path / "none.safetensors", "do this")
    save_file({"w": torch.ones(2)}, tmp_path / "foreign.safetensors")
    torch.save({"w": torch.ones(2)}, tmp_path / "pickled.safetensors")
    for name in ("foreign", "pickled"):
        with pytest.raises(StorageError, match="damaged, or not of this course"):
            read_tensors(tmp_path / f"{name}.safetensors")


def test_file_of_another_sha256_is_refused(written):
    with pytest.raises(StorageError, match="not the file that the course expects"):
        read_tensors(written[0], "", "0" * 64)


# ---- networks


@pytest.mark.parametrize(("half", "tolerance"), [(False, 0), (True, 1e-3)])
def test_checkpoint_puts_weights_and_statistics_back(tmp_path, half, tolerance):
    path, model = tmp_path / "net.safetensors", network()
    model[1].running_mean += 0.3
    digest = save_checkpoint(path, model, {"size": 3}, half_precision=half)
    fresh = network()
    for parameter in fresh.parameters():
        parameter.data.zero_()
    load_checkpoint(path, fresh, {"size": 3}, digest)
    for name, value in model.state_dict().items():
        assert torch.allclose(fresh.state_dict()[name], value, rtol=tolerance, atol=0), name
        assert fresh.state_dict()[name].dtype == value.dtype


def test_checkpoint_of_another_configuration_or_network_leaves_the_network_alone(tmp_path):
    path, model = tmp_path / "net.safetensors", network()
    digest = save_checkpoint(path, model, {"size": 3, "seed": 0})
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(StorageError, match=r"seed is 0, expected 1\.\n"):
        load_checkpoint(path, model, {"size": 3, "seed": 1}, digest)
    with pytest.raises(StorageError, match="depth is missing, expected 2"):
        load_checkpoint(path, model, {"size": 3, "seed": 0, "depth": 2}, digest)
    with pytest.raises(StorageError, match=r"weights of another network: 0\.bias"):
        load_checkpoint(path, network(4), {"size": 3, "seed": 0}, digest)
    assert all(torch.equal(before[n], v) for n, v in model.state_dict().items())


def test_configurations_are_compared_as_json_has_them(tmp_path):
    path, model = tmp_path / "net.safetensors", network()
    digest = save_checkpoint(path, model, {"channels": (32, 64)})
    load_checkpoint(path, model, {"channels": [32, 64]}, digest)


def test_module_is_usable_without_torch():
    code = "import sys, helpers.checkpoints; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
