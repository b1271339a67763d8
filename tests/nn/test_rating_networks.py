import numpy as np
import torch

from shortlist.nn.ratings import Concatenated, DotProduct

USERS, ITEMS = torch.tensor([2, 0, 2]), torch.tensor([1, 1, 0])


def random() -> torch.Generator:
    return torch.Generator().manual_seed(4)


def test_a_dot_product_is_that_of_the_factors_and_both_biases() -> None:
    net = DotProduct(3, 2, 4, random())
    scores = net(USERS, ITEMS).tolist()
    users, items = net.user.weight.detach().numpy(), net.item.weight.detach().numpy()
    for score, u, i in zip(scores, USERS.tolist(), ITEMS.tolist(), strict=True):
        assert np.isclose(
            score, sum(users[u, f] * items[i, f] for f in range(4)) + users[u, 4] + items[i, 4], atol=1e-7
        )


def test_its_gradient_is_right() -> None:
    net = DotProduct(3, 2, 4, random()).double()

    def scores(user: torch.Tensor, item: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(net, {"user.weight": user, "item.weight": item}, (USERS, ITEMS)).square()

    weights = tuple(w.detach().clone().requires_grad_() for w in (net.user.weight, net.item.weight))
    assert torch.autograd.gradcheck(scores, weights)


def test_layers_computed_again_have_the_same_gradient() -> None:
    gradients = []
    for recompute in (False, True):
        net = Concatenated(3, 2, 4, [5, 3], 0.0, random(), recompute=recompute)
        net(USERS, ITEMS).square().sum().backward()
        gradients.append([p.grad.clone() for p in net.parameters() if p.grad is not None])
    assert len(gradients[0]) == 8
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))
