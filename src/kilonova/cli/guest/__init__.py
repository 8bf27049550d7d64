"""The tiny guest: the distribution's own kernel, busybox and syslinux in an image of a few MB."""
