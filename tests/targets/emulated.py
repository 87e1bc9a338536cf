"""A machine behind a forwarded port: the number comes from the environment, as text."""

import attr
from labgrid.factory import target_factory
from labgrid.resource import NetworkService


@target_factory.reg_resource
@attr.s(eq=False)
class ForwardedService(NetworkService):
    port = attr.ib(default=22, converter=int)
