package probe

import (
	"context"
	"net/netip"
)

// Why asks an address by a path why it is silent.
func Why(ctx context.Context, addr netip.Addr, path Path) error {
	return (&dialer{addr: addr, path: path}).why(ctx, func() {})
}
