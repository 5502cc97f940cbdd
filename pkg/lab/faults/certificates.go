package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// certificates are for servers at 127.0.0.1, one good and some that are not.
type certificates struct {
	authorityFile string // the authority that the plugins trust
	good, expired tls.Certificate
	early         tls.Certificate // not valid yet
	elsewhere     tls.Certificate // for another name
	hostile       tls.Certificate // for names that are made to harm
	selfSigned    tls.Certificate
}

// hostileText is what no output may hold as it is.
const hostileText = "a|b='1'\r\nOK: all is well\n\x1b[31m<b>\xff\xfe`$(id)`"

func newCertificates(dir string) (*certificates, error) {
	c := &certificates{authorityFile: filepath.Join(dir, "authority.pem")}
	now := time.Now()
	usual := func() *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: big.NewInt(now.UnixNano()),
			Subject:      pkix.Name{CommonName: "127.0.0.1"},
			IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
			NotBefore:    now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		}
	}
	authority := usual()
	authority.IsCA, authority.BasicConstraintsValid, authority.KeyUsage = true, true, x509.KeyUsageCertSign
	authority.Subject.CommonName, authority.ExtKeyUsage = "authority of a test", nil
	ca, err := sign(authority, nil)
	if err != nil {
		return nil, err
	}
	var errs []error
	make := func(into *tls.Certificate, by *tls.Certificate, change func(*x509.Certificate)) {
		template := usual()
		change(template)
		made, err := sign(template, by)
		*into = made
		errs = append(errs, err)
	}
	make(&c.good, &ca, func(*x509.Certificate) {})
	make(&c.expired, &ca, func(t *x509.Certificate) { t.NotAfter = now.Add(-time.Minute) })
	make(&c.early, &ca, func(t *x509.Certificate) { t.NotBefore = now.Add(30 * time.Minute) })
	make(&c.elsewhere, &ca, func(t *x509.Certificate) { t.IPAddresses, t.DNSNames = nil, []string{"elsewhere.example"} })
	make(&c.hostile, &ca, func(t *x509.Certificate) {
		t.Subject = pkix.Name{CommonName: strings.ToValidUTF8(hostileText, ""), Organization: []string{"<b>|"}}
		t.IPAddresses, t.DNSNames = nil, []string{"a|b<b>.example"}
	})
	make(&c.selfSigned, nil, func(*x509.Certificate) {})
	errs = append(errs, os.WriteFile(c.authorityFile, pemOf(ca), 0o644))
	return c, errors.Join(errs...)
}

// sign makes a certificate, signed by another or by itself.
func sign(template *x509.Certificate, by *tls.Certificate) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	parent, signer := template, any(key)
	if by != nil {
		if parent, err = x509.ParseCertificate(by.Certificate[0]); err != nil {
			return tls.Certificate{}, err
		}
		signer = by.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

func pemOf(c tls.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]})
}

func keyPEM(c tls.Certificate) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), err
}
