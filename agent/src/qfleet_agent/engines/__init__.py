"""The engines that run workloads. Only worker processes import anything here but ``registry``."""
