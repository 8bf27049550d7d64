from oslo_config import cfg

from kilonova.kit.options import from_mapping


def test_options_that_a_library_registers_later_are_answered_from_the_mapping() -> None:
    configuration = from_mapping({"them": {"url": "http://h", "retries": "3", "dashed-name": True}})
    names = [cfg.StrOpt("url"), cfg.IntOpt("retries"), cfg.BoolOpt("dashed-name"), cfg.IntOpt("other", default=7)]
    configuration.oslo.register_opts(names, group="them")
    section = configuration.oslo.them
    assert (section.url, section.retries, section.dashed_name, section.other) == ("http://h", 3, True, 7)
