# SPDX-License-Identifier: MIT
# Sourced by what runs in the guest: which cards a driver has.
# shellcheck shell=bash

# cards DRIVER: their nodes. On 7.3 vkms is a faux device, whose name tells in place of the driver's.
cards()
{
	local card
	for card in /sys/class/drm/card?; do
		# No pipe: readlink would die of it where cat has already shown the name, and pipefail counts that.
		! grep -qi "$1" <<<"$(cat "$card/device/uevent"; readlink "$card/device")" || echo "/dev/dri/${card##*/}"
	done
}
