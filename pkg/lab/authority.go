package lab

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"time"
)

// Authority signs the certificates of the lab's servers.
type Authority struct {
	certificate tls.Certificate
	PEM         []byte // its own
}

// NewAuthority makes one that nobody knows yet.
func NewAuthority() (*Authority, error) {
	c, err := sign(nil, func(t *x509.Certificate) {
		t.IsCA, t.BasicConstraintsValid, t.KeyUsage = true, true, x509.KeyUsageCertSign
	})
	if err != nil {
		return nil, err
	}
	return &Authority{c, inPEM("CERTIFICATE", c.Certificate[0])}, nil
}

// Issue signs a certificate that is valid now, after a change.
func (a *Authority) Issue(change func(*x509.Certificate)) (tls.Certificate, error) {
	return sign(&a.certificate, change)
}

// sign makes a certificate, signed by another or by itself. It is valid for a day,
// and was yesterday: clocks may be set back.
func sign(by *tls.Certificate, change func(*x509.Certificate)) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()),
		Subject:      pkix.Name{CommonName: "the lab's"},
		NotBefore:    now.Add(-24 * time.Hour),
		NotAfter:     now.Add(24 * time.Hour),
	}
	change(template)
	parent, signer := template, any(key)
	if by != nil {
		parent, signer = by.Leaf, by.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		return tls.Certificate{}, err
	}
	leaf, err := x509.ParseCertificate(der)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, err
}

func inPEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
